/* Heartland Retail's own bridge, in place of ours: three commands, as text, which nobody answers
   (docs/bridge.md). Each goes to the pages on the installation's list alone, and no address is made
   of what stands in ours. */
(() => {
  "use strict";

  const { origins, sale } = document.getElementById("panel").dataset;
  const bar = document.getElementById("heartland");
  // Where the browser tells who holds us, nobody else is called.
  const above = location.ancestorOrigins?.[0];
  const listed = JSON.parse(origins).filter((origin) => !above || origin === above);

  const tell = (command, paramsFor = () => ({})) => {
    for (const origin of listed) {
      window.parent.postMessage(JSON.stringify({ command, params: paramsFor(origin) }), origin);
    }
  };

  const ACTS = {
    hide: () => tell("hide"),
    // Its page shows a changed sale only when it is opened anew.
    reload: () => tell("redirect", (origin) => ({ url: `${origin}/#sales/tickets/edit/${encodeURIComponent(sale)}` })),
  };

  if (window.parent === window) return;
  bar.hidden = false;
  bar.querySelector("[data-heartland=reload]").hidden = !sale;
  bar.addEventListener("click", ({ target }) => ACTS[target.dataset.heartland]?.());
  // It starts hidden.
  tell("show");
})();
