// Finding an element as people do, and coming to it with the keyboard alone.

export function locate(page, { selector, label, text, role, name, exact, nth, within }) {
  const around = within ? page.locator(within) : page;
  let found;
  if (selector !== undefined) found = around.locator(selector);
  else if (label !== undefined) found = around.getByLabel(label, { exact });
  else if (role !== undefined) found = around.getByRole(role, { name, exact });
  else if (text !== undefined) found = around.getByText(text, { exact });
  else throw new Error("say which element: selector, label, role or text");
  return nth === undefined ? found : found.nth(nth);
}

// Press Tab until the element has the focus. The focus has to be to be seen wherever it goes, and nothing may keep it.
export async function tabTo(page, command) {
  const most = command.most ?? 60;
  const target = await locate(page, command).first().elementHandle();
  const seen = [];
  for (let keys = 1; keys <= most; keys += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate((target) => {
      const own = document.activeElement;
      if (!own || own === document.body) return { there: false, name: "(nothing)", visible: true };
      const style = getComputedStyle(own);
      const box = own.getBoundingClientRect();
      const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
      return {
        there: own === target,
        name: (own.getAttribute("aria-label") ?? own.textContent ?? own.outerHTML).trim().slice(0, 60),
        visible: (outline || style.boxShadow !== "none") && box.width > 0 && box.height > 0,
      };
    }, target);
    seen.push(at.name);
    if (!at.visible) throw new Error(`the focus is not to be seen on "${at.name}"`);
    if (at.there) return keys;
  }
  throw new Error(`${most} times Tab did not come there, but to: ${seen.join(", ")}`);
}
