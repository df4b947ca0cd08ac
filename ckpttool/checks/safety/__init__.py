"""Whether a checkpoint can do harm: code, callables, links, archives, bombs, names."""

from ckpttool.checks.rule import Rule
from ckpttool.checks.safety import callables, code, configs, members, names, operations, paths, refusals, sizes

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            rule
            for module in (code, callables, paths, refusals, members, sizes, names, operations)
            for rule in module.RULES
        ),
        key=lambda rule: rule.code,
    )
)

CHECKS = (*refusals.CHECKS, *configs.CHECKS, *members.CHECKS, *sizes.CHECKS, *names.CHECKS, *operations.CHECKS)
