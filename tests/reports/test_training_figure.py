"""Training curves of several settings, a panel for each thing that was logged."""

from darla.reports.figures.training import training_figure


def rows(**columns: float) -> list[dict[str, float]]:
    return [{"step": step, "held_out_pixel": 100.0 / step, "kl": 5.0, **columns} for step in (10.0, 20.0)]


def panels_of(histories):
    return {axes.get_title(loc="left"): axes for axes in training_figure(histories).axes if axes.get_visible()}


def test_two_estimates_of_total_correlation_have_a_panel_each():
    panels = panels_of({
        "factor": [rows(total_correlation=0.1, discriminator=0.6)],
        "beta-tc": [rows(total_correlation=100.0, mutual_information=5.0)],
        "beta-4": [rows()],
    })  # fmt: skip
    assert list(panels) == [
        "reconstruction, nats held out", "KL, nats",
        "total correlation (discriminator)", "total correlation (sampling)",
    ]  # fmt: skip
    judged, sampled = (panels[f"total correlation ({how})"] for how in ("discriminator", "sampling"))
    assert judged.get_ylim()[1] < 1
    assert sampled.get_ylim()[0] > 90
    assert len(panels["KL, nats"].lines) == 6  # for each setting its seed and the mean


def test_dead_units_are_drawn_in_per_cent_where_they_were_counted():
    panels = panels_of({"old": [rows()], "new": [rows(dead_units=0.62)]})
    lines = panels["dead units of the encoder, %"].lines
    assert [line.get_ydata()[-1] for line in lines] == [62.0, 62.0]
    assert "active latents" not in panels
