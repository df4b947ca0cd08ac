"""Whether the weights of a checkpoint load into an architecture, and what Keras would do with them."""

from ckpttool.verifying.findings import LOADERS, Allowed, verify
from ckpttool.verifying.result import Finding, Status, VerifyResult

__all__ = ["LOADERS", "Allowed", "Finding", "Status", "VerifyResult", "verify"]
