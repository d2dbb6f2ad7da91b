#' Handwritten digits
#'
#' 1,797 images of handwritten digits, small enough to come with the package and real enough to train on: the
#' test set of "Optical Recognition of Handwritten Digits" of the UCI Machine Learning Repository, as
#' scikit-learn ships it. Each image was a bitmap of 32 x 32; a pixel here counts the ink in a block of 4 x 4.
#'
#' @format A list of two:
#' \describe{
#'   \item{images}{integer array of 1797 x 8 x 8: `images[i, row, column]`, row 1 at the top and column 1 on
#'     the left, 0 (no ink) to 16 (all ink)}
#'   \item{labels}{integer vector of 1797: the digit, 0 to 9}
#' }
#' @source E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning
#'   Repository. \doi{10.24432/C50P49}. License: CC BY 4.0. The values are unchanged.
#' @examples
#' dim(digits$images)
#' table(digits$labels)
#'
#' # The first image, a zero. `image()` draws from the bottom left, so the rows are turned round.
#' image(t(digits$images[1, 8:1, ]), col = gray(16:0 / 16), axes = FALSE, asp = 1)
#' @name digits
#' @docType data
#' @usage digits
#' @keywords datasets
NULL
