#' Handwritten digits
#'
#' 1,797 images of handwritten digits, for examples: the test set of "Optical Recognition of Handwritten Digits" of the
#' UCI Machine Learning Repository, as distributed with scikit-learn. The original images were bitmaps of 32 x 32
#' pixels; each value is the number of black pixels in a block of 4 x 4.
#'
#' @format A list with two elements:
#' \describe{
#'   \item{images}{Integer array of 1797 x 8 x 8, `images[i, row, column]`: row 1 is at the top, column 1 on the left.
#'     Values from 0 (white) to 16 (black).}
#'   \item{labels}{Integer vector of length 1797: the digits, 0 to 9.}
#' }
#' @source E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning
#'   Repository. \doi{10.24432/C50P49}. License: CC BY 4.0. The values are unchanged.
#' @examples
#' dim(digits$images)
#' table(digits$labels)
#'
#' # The first image, a zero. `image()` starts at the bottom left, so the rows are reversed.
#' image(t(digits$images[1, 8:1, ]), col = gray(16:0 / 16), axes = FALSE, asp = 1)
#' @name digits
#' @docType data
#' @usage digits
#' @keywords datasets
NULL
