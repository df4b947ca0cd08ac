"""Whether the weights of a checkpoint load into an architecture, and what Keras would do with them."""

from ckpttool.verification.result import Finding, Status, VerifyResult
from ckpttool.verification.verdicts import LOADERS, Allowed, verify

__all__ = ["LOADERS", "Allowed", "Finding", "Status", "VerifyResult", "verify"]
