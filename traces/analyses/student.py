"""Student's distribution, for means of few values.

Ref: NIST DLMF 8.17 (the incomplete beta function, and its continued fraction 8.17.22)
"""

from math import exp, inf, isinf, lgamma, log, log1p
from statistics import NormalDist

_NORMAL = NormalDist()
#: With more degrees of freedom it is a normal one, for all that is told here.
_MANY = 1_000.0
#: Of the continued fraction, which is near its end long before.
_STEPS, _TINY, _NEAR = 500, 1e-300, 1e-15


def beyond(t: float, freedom: float) -> float:
    """Give how likely it is to be further from 0 than ``t``, on either side.

    :param freedom: degrees of freedom, above 0
    """
    if isinf(t):
        return 0.0
    if freedom > _MANY:
        return 2 * _NORMAL.cdf(-abs(t))
    return _beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def width(freedom: float) -> float:
    """Give how far from 0 19 of 20 are not exceeded."""
    if freedom > _MANY:
        return _NORMAL.inv_cdf(0.975)
    low, high = 0.0, 1.0
    while beyond(high, freedom) > 0.05 and high < inf:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if beyond(middle, freedom) > 0.05 else (low, middle)
    return high


def _beta(a: float, b: float, x: float) -> float:
    # The regularized incomplete beta function.
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    # The fraction is quick on this side of its middle alone.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    # By Lentz's method.
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    found = d
    for m in range(1, _STEPS):
        for part in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + part * d
            c = 1 + part / c
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            found *= d * c
        if abs(d * c - 1) < _NEAR:
            break
    return found
