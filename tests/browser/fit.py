"""Whether the page fits into its window, and a thumb can hit what is to be pressed."""

from playwright.sync_api import Page

SMALLEST_TARGET = 48


def expect_it_fits(page: Page) -> None:
    wide, small = overflow(page), small_targets(page)
    assert not wide, f"The page is {wide} pixels wider than its window."
    assert not small, "\n".join(["Too small, or outside:", *small])


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    extra: int = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return extra


def small_targets(page: Page) -> list[str]:
    """What can be pressed and is lower or narrower than a thumb needs, or lies outside."""
    low: list[str] = page.evaluate(
        """(least) => [...document.querySelectorAll("a, button, summary, label.box, input")]
            .filter((each) => each.checkVisibility())
            .filter((each) => !["hidden", "checkbox", "radio"].includes(each.type))
            .filter((each) => {
                const {width, height, left, right} = each.getBoundingClientRect();
                return height < least || width < least || left < 0 || right > innerWidth;
            })
            .map((each) => each.outerHTML)""",
        SMALLEST_TARGET,
    )
    return low
