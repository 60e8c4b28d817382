/* What every report page does: links into the charts, theme, size, print, the section that is being read. */
/** Zooms every chart to [from, to] with some room and brings the section into view. */
function reveal(from, to, section) {
  const room = Math.max((to - from) * 0.4, (span.high - span.low) * 0.004, 12);
  zoom(from - room, to + room);
  $(section).scrollIntoView({ block: "start" });
}
for (const button of document.querySelectorAll("[data-target]"))
  button.addEventListener("click", () => reveal(Number(button.dataset.from), Number(button.dataset.to), button.dataset.target));

// ---- theme, size, print, sections ------------------------------------------------------------------------------------
const dark = matchMedia("(prefers-color-scheme: dark)"), printing = matchMedia("print"), root = document.documentElement;
const repaint = () => { colours = {}; for (const u of linked) u.redraw(false, true); };
dark.addEventListener("change", repaint);
printing.addEventListener("change", () => { repaint(); resize(); });
const closed = [...document.querySelectorAll("#all-figures")].filter((one) => !one.open);
addEventListener("beforeprint", () => { for (const one of closed) one.open = true; });
addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
$("theme").hidden = false;
$("theme").addEventListener("click", () => {
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  repaint();
});
const resize = () => {
  for (const u of linked) if (u.box.clientWidth && u.box.clientWidth !== u.width) u.resize();
  reachable();
};
/** A table that is wider than the screen can be scrolled with the keyboard. */
function reachable() {
  for (const box of document.querySelectorAll(".scroll")) {
    const heading = box.closest("section").querySelector("h2");
    if (box.scrollWidth > box.clientWidth) Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: `${heading.firstChild.textContent}: table` });
    else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
}
reachable();
let wait = 0;
addEventListener("resize", () => { cancelAnimationFrame(wait); wait = requestAnimationFrame(resize); });
const links = new Map([...document.querySelectorAll(".jump a")].map((link) => [link.hash.slice(1), link]));
const watch = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) links.get(target.id).classList.toggle("on", isIntersecting);
}, { rootMargin: "-60px 0px -65% 0px" });
for (const id of links.keys()) if ($(id)) watch.observe($(id));
root.classList.add("ready");
