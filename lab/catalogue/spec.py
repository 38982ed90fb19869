"""From a scenario to plain data (`lab.record.Spec`): what the record keeps and the judge reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab import actions
from lab.faults import spec as fault_spec
from lab.model import Claim, Invariant, Member, Metric, Scalar, Scenario, Service
from lab.model.page import Page
from lab.record import (
    ClaimSpec,
    ExerciseSpec,
    InvariantSpec,
    LinkSpec,
    LoadSpec,
    MemberSpec,
    MetricSpec,
    PanelSpec,
    PhaseSpec,
    QuestionSpec,
    Spec,
    VariantSpec,
)


def to_spec(scenario: Scenario, page: Page, name: str, file: Path, summary: str, scale: float = 1.0) -> Spec:
    """Give scenario and page as plain data, its phases `scale` times as long."""
    load = scenario.load
    return Spec(
        name=name,
        file=str(file),
        title=scenario.title,
        summary=summary,
        sections=list(scenario.sections),
        question=scenario.question,
        idea="\n\n".join(page.idea),
        predict=[
            QuestionSpec(question.text, list(question.answered_by), question.worked_out) for question in page.predict
        ],
        look_at=list(page.look_at),
        exercises=[ExerciseSpec(each.text, each.knob, each.answer) for each in page.tries],
        price=list(page.price),
        members=[MemberSpec(member.name, _kind(member)) for member in scenario.members],
        links=[LinkSpec(link.name, link.caller.name, link.callee.name, link.distance_ms) for link in scenario.links],
        load=LoadSpec(
            operations=[operation.name for operation in load.operations],
            to=", ".join(service.name for service in load.services),
            per_s=load.per_s,
            arrivals=load.arrivals,
            users=load.users,
            think_s=load.think_s,
            timeout_s=load.timeout_s,
        ),
        phases=[
            PhaseSpec(phase.name, phase.lasts_s * scale, [fault_spec(f, scenario.links) for f in phase.faults])
            for phase in scenario.phases
        ],
        settings={member.name: told for member in scenario.members if (told := scenario.shared_settings(member))},
        variants=[
            VariantSpec(variant.name, {member.name: dict(env) for member, env in variant.env.items()})
            for variant in scenario.variants
        ],
        claims=[_claim(claim) for claim in scenario.claims],
        invariants=[_invariant(invariant) for invariant in scenario.every_invariant],
        panels=[
            PanelSpec(panel.title, panel.expr, panel.unit, panel.legend, dict(panel.values))
            for panel in scenario.panels
        ],
        profile=[service.name for service in scenario.profile],
        actions=actions.specs(scenario.phases, scale),
    )


def _kind(member: Member) -> str:
    return "service" if isinstance(member, Service) else member.kind


def _plain(args: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return dict(args)


def _metric(metric: Metric) -> MetricSpec:
    return MetricSpec(metric.name, metric.unit, _plain(metric.args))


def _claim(claim: Claim) -> ClaimSpec:
    return ClaimSpec(
        text=claim.text,
        variant=claim.variant,
        phase=claim.phase,
        metric=_metric(claim.metric),
        at_least=claim.at_least,
        at_most=claim.at_most,
        of=claim.of,
        control=claim.control,
        every_trial=claim.every_trial,
        price=claim.price,
    )


def _invariant(invariant: Invariant) -> InvariantSpec:
    return InvariantSpec(
        text=invariant.text,
        check=invariant.check.name,
        args=_plain(invariant.check.args),
        variants=list(invariant.variants),
        broken_in=list(invariant.broken_in),
    )
