"use strict";
{
  const log = document.getElementById("log");
  const job = document.getElementById("job").textContent;
  const follow = async () => {
    if (document.hidden) return;
    try {
      const status = await (await fetch("/status.json", { cache: "no-store" })).json();
      if (status.session !== document.body.dataset.session || status.job !== job) return location.replace("/");
      log?.replaceChildren(...status.log.map((text) => {
        const line = document.createElement("li");
        line.textContent = text;
        return line;
      }));
    } catch {
      // The server is away: what is shown stays.
    }
  };
  setInterval(follow, 2000);
}
