"""Appendices: where other frameworks find what they ask for, and the words used here."""

from __future__ import annotations

from .blocks import Cell, Column, Section, Table, Terms, say, strong

CROSSWALK = (
    (
        "EDPB DPIA template (2026)",
        "description of the processing: 3, 4 · necessity and risks: 5, 7, 9 · measures: 8, 10 · "
        "advice and decision: 2",
    ),
    (
        "WP216, anonymisation techniques",
        "singling out, linkability and inference: the criterion of each attack in 6, results in 7",
    ),
    (
        "ISO/IEC 27559",
        "context of the data: 3, 4, 5 · identifiability: 1, 7 · governance and review: 0, 2, 11",
    ),
    (
        "HIPAA, expert determination",
        "methods and results that justify a determination: 6, 7, 11 · documentation: 0, 12. The "
        "determination itself is the expert's",
    ),
    (
        "NIST AI 100-2",
        "attacker goals, knowledge and capabilities: 5 · attacks: 6 · mitigations: 8, 10",
    ),
    (
        "NIST SP 800-226",
        "unit, neighbouring relation, composition and trust model of every differential-privacy "
        "claim: table of defense settings in 6",
    ),
)
GLOSSARY = (
    (
        "actor, adversary",
        "Who attacks, where it sits, what it knows, whether it follows the rules.",
    ),
    (
        "advantage",
        "(value \u2212 blind) / (ceiling \u2212 blind): 0 is no better than blind, 1 is perfect.",
    ),
    ("attack", "Turns what an actor sees into images, masks or a name. It never sees the truth."),
    ("auxiliary patients", "The adversary's own patients, none of whom is attacked."),
    ("blind baseline", "The best the same actor does without the messages."),
    ("ceiling", "The value a perfect attack would reach."),
    ("claim", "A formal guarantee, with everything needed to check it."),
    ("control", "A run whose answer is known beforehand."),
    ("defense", "Changes what crosses, or how the encoders are trained."),
    ("Dice", "Overlap of two masks: 0 none, 1 the same."),
    ("effort curve", "Quality of an attack by how long it tried."),
    ("HD95", "95th percentile of the distance between two mask borders; lower is better."),
    ("interval", "Where the mean would lie for other patients like these, 95 times of 100."),
    ("level", "A resolution of the U-Net encoder; level 0 is full resolution."),
    ("message", "One tensor that crosses between two parties: features, or a gradient."),
    ("party", "An institution that holds some images of the patients and runs its own encoder."),
    ("pseudonym", "A label such as P0003 that stands for a patient in this report only."),
    ("record", "audit.json: every number of this report, and the values behind it."),
    ("server", "Runs the rest of the network."),
    ("skip connection", "Features that go straight from encoder to decoder at one level."),
    ("split", "Who holds what, which levels run at the parties, and which skips cross."),
    ("SSIM", "Structural similarity of two images: 1 is a perfect copy."),
)


def crosswalk() -> Section:
    """Appendix A."""
    return Section(
        "A",
        "Crosswalk to other frameworks",
        (
            Table(
                "crosswalk-table",
                say("Where this report holds what a framework asks for. No conformity is claimed."),
                (Column("Framework", weight=1), Column("Sections of this report", weight=2.4)),
                tuple((Cell(say(strong(name))), Cell(say(where))) for name, where in CROSSWALK),
            ),
        ),
    )


def glossary() -> Section:
    """Appendix B."""
    return Section("B", "Glossary", (Terms(tuple((term, say(text)) for term, text in GLOSSARY)),))
