"""The check whether the weights of a checkpoint load into an architecture, as each loader of Keras would do it."""

from ckpttool.verification.findings import Allowed
from ckpttool.verification.result import Status, VerifyResult, WeightProblem
from ckpttool.verification.verdicts import LOADERS, verify

__all__ = ["LOADERS", "Allowed", "Status", "VerifyResult", "WeightProblem", "verify"]
