"""rpy2 and the R that it embeds, which the extra `r` brings: loaded here, or missed in words."""

from __future__ import annotations

from ...errors import SetupError

try:
    from rpy2 import rinterface
    from rpy2.rinterface_lib import _rinterface_capi as capi
    from rpy2.rinterface_lib import openrlib
except Exception as error:  # rpy2 raises many kinds where R is missing
    raise SetupError(
        f"R functions need rpy2 and R, which could not be loaded ({error}). Install R, then "
        '`pip install "fitgenerator[r]"` (for R older than 4.5: `pip install rpy2==3.5.17`).'
    ) from error

__all__ = ["capi", "openrlib", "rinterface"]
