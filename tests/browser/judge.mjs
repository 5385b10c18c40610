// What is wrong with a page as it is shown: a list of sentences, empty where nothing is.

// A shift below this is not to be seen: a rounding of sub-pixels.
const SEEN = 0.001;

export async function judge(page, axe, { shift = true } = {}) {
  const faults = [...(await accessible(page, axe)), ...(await overflow(page)), ...(await targets(page))];
  if (shift) faults.push(...(await shifts(page)));
  return faults;
}

// What axe finds, serious and critical: WCAG 2.2 A and AA, and its own best practices.
async function accessible(page, axe) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const found = await window.axe.run(document, { resultTypes: ["violations"] });
    return found.violations
      .filter((own) => ["serious", "critical"].includes(own.impact))
      .map((own) => ({
        id: own.id,
        impact: own.impact,
        help: own.help,
        nodes: own.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any?.[0]?.message ?? ""}`),
      }));
  });
  return violations.map((own) => `axe ${own.impact} ${own.id}: ${own.help}: ${own.nodes.join(" | ")}`);
}

// The page is not wider than the window. What scrolls by itself (a table in a box) may be.
async function overflow(page) {
  const found = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const whole = document.documentElement.scrollWidth;
    if (whole <= width) return null;
    const inBox = (node) => {
      for (let own = node.parentElement; own && own !== document.body; own = own.parentElement) {
        if (getComputedStyle(own).overflowX !== "visible") return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll("*")]
      .filter((node) => node.getBoundingClientRect().right > width + 1 && !inBox(node))
      .slice(0, 3)
      .map((node) => node.outerHTML.slice(0, 120));
    return { width, whole, wide };
  });
  return found ? [`overflow: ${found.whole} px in a window of ${found.width}: ${found.wide.join(" | ")}`] : [];
}

// WCAG 2.2, 2.5.8: what is pressed is at least 24 by 24 px, links in text and lines apart.
async function targets(page) {
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, [role=button], input:not([type=hidden]), select, summary")]
      .filter((node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
      .filter((node) => !node.closest("label") || !["checkbox", "radio"].includes(node.type))
      .map((node) => ({ box: node.getBoundingClientRect(), html: node.outerHTML.slice(0, 120) }))
      .filter(({ box }) => box.width > 1 && box.height > 1 && (box.width < 23.5 || box.height < 23.5))
      .slice(0, 3)
      .map(({ box, html }) => `${Math.round(box.width)}x${Math.round(box.height)} ${html}`),
  );
  return small.map((own) => `small: ${own}`);
}

async function shifts(page) {
  const found = await page.evaluate(() => {
    const all = window.__shifts ?? [];
    return { sum: all.reduce((sum, own) => sum + own.value, 0), nodes: all.flatMap((own) => own.nodes).slice(0, 3) };
  });
  return found.sum >= SEEN ? [`shift: ${found.sum.toFixed(4)}: ${found.nodes.join(" | ")}`] : [];
}
