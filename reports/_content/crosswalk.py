"""Appendices: where other frameworks find what they ask for, and the words used here."""

from __future__ import annotations

from .blocks import Cell, Column, Section, Table, Terms, say, strong

TEMPLATE = (
    ("0.1, 0.2", "controllers; processors and sub-processors", "3"),
    ("1.1.a, 1.1.d", "personal data; nature, scope and context", "3, 4"),
    ("1.1.b", "purposes", "3"),
    ("1.2, 1.3", "functional description; means, assets and architecture", "3"),
    ("2.1.a", "legal basis", "3"),
    ("2.2.a", "minimisation, recipients, retention", "3, 8"),
    ("2.3.d, 2.3.e", "measures of data protection by design; security", "3, 6, 8"),
    ("3.1", "impacts of the processing as designed", "1, 7"),
    ("3.2", "necessity: less intrusive alternatives", "8, 10"),
    ("4.1.a", "abnormal events: who could break in or listen", "5"),
    ("4.1.b, 4.1.c", "method; inherent risk", "9"),
    ("4.2.a, 4.2.b", "additional measures; residual risk", "9, 10"),
    ("4.2.c, 5.1, 6", "plan; advice of the officer; decision", "2"),
)
"""Fields of the EDPB's template, version 1.0 as put to consultation in 2026, in words of our own:
what they ask for, and the sections that hold it."""
CROSSWALK = (
    (
        "EDPB Opinion 28/2024, AI models",
        "likelihood that personal data are extracted from the model, or obtained by querying it: "
        "A, for the trained network. Sections 1 and 7 speak of the messages of its training, which "
        "the opinion's test of the model does not reach",
    ),
    (
        "EHDS, Regulation (EU) 2025/327, article 66",
        "data limited to what the purpose needs (1): 8, 10 · anonymised where that serves the "
        "purpose, else pseudonymised (2, 3): whether people or images can be read from what "
        "parties exchange: 1, 7",
    ),
    (
        "TEHDAS2 D7.2, guideline on minimisation, pseudonymisation, anonymisation and synthetic "
        "data",
        "who and what is processed: 3, 4 · risk of re-identification and inference, who could "
        "do it: 1, 5, 7 · safeguards by their measured effect: 8, 10 · results that leave: A",
    ),
    (
        "SATRE 2.0.1, output management (3.3)",
        "3.3.07, outputs that cannot be checked by hand, a trained network's weights (model "
        "egress): A · documented disclosure control and its record: 6, 7, 12",
    ),
    (
        "CAF-aligned DSPT (NHS England)",
        "objective A, managing risk: 9, 10 · objective B, protecting against cyber attacks and "
        "data breaches: transport security as stated in 3, who could listen in 5 · objective E, "
        "using and sharing information appropriately: purpose and legal basis as stated in 3, "
        "decision in 2. The assessment itself is the organisation's",
    ),
    (
        "SACRO, checking of outputs",
        "release, further analysis, or do not release: the output checker's tick in A. No verdict "
        "here stands for one of them",
    ),
    (
        "WP216, anonymisation techniques",
        "singling out, linkability and inference: the criterion of each attack in 6, results in 7",
    ),
    (
        "ISO/IEC 27559",
        "context of the data: 3, 4, 5 · identifiability: 1, 7 · governance and review: 0, 2, 3, 11",
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
    (
        "ceiling",
        "The value a perfect attack would reach. Where a picker says whose image it is, measured: "
        "what it finds from the true images.",
    ),
    ("claim", "A formal guarantee, with everything needed to check it."),
    ("control", "A run whose answer is known beforehand."),
    ("cut", "Where the network is divided between two owners: messages cross there."),
    ("defense", "Changes what crosses, or how the encoders are trained."),
    ("Dice", "Overlap of two masks: 0 none, 1 the same."),
    ("effort curve", "Quality of an attack by how long it tried."),
    ("HD95", "95th percentile of the distance between two mask borders; lower is better."),
    ("interval", "Where the mean would lie for other patients like these, 95 times of 100."),
    (
        "level",
        "A resolution of our U-Net's encoder, and what its cuts are called; level 0 is full "
        "resolution.",
    ),
    ("message", "One tensor that crosses between two parties: features, or a gradient."),
    ("party", "An institution that holds some images of the patients and runs its own encoder."),
    ("pseudonym", "A label such as P0003 that stands for a patient in this report only."),
    ("record", "audit.json: every number of this report, and the values behind it."),
    ("server", "Runs the rest of the network."),
    ("skip connection", "Features that go straight from encoder to decoder at one level."),
    ("split", "Who holds what, which part of the network runs where, and what crosses."),
    ("SSIM", "Structural similarity of two images: 1 is a perfect copy."),
)


def crosswalk() -> Section:
    """Appendix B."""
    return Section(
        "B",
        "Crosswalk to other frameworks",
        (
            Table(
                "crosswalk-template",
                say(
                    "EDPB template for impact assessments, by the field numbers of version 1.0 as "
                    "put to consultation in 2026; the final one may number them otherwise. Fields "
                    "not named here are the controller's alone."
                ),
                (Column("Field"), Column("Asks for", weight=2.4), Column("Sections")),
                tuple(
                    (Cell(say(strong(field))), Cell(say(asks)), Cell(say(where)))
                    for field, asks, where in TEMPLATE
                ),
            ),
            Table(
                "crosswalk-table",
                say("Where this report holds what a framework asks for. No conformity is claimed."),
                (Column("Framework", weight=1), Column("Sections of this report", weight=2.4)),
                tuple((Cell(say(strong(name))), Cell(say(where))) for name, where in CROSSWALK),
            ),
        ),
    )


def glossary() -> Section:
    """Appendix C."""
    return Section("C", "Glossary", (Terms(tuple((term, say(text)) for term, text in GLOSSARY)),))
