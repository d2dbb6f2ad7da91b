library(testthat)
library(fitgenerator)

test_check("fitgenerator")
