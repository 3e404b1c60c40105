// Keeps the overview moving. Without it every page works all the same: it only replaces what the server has rendered anew.
const state = document.getElementById("live-state");
const live = document.getElementById("live");

if (state && live) {
  const patience = 15 * 60 * 1000;
  let source = null;
  let paused = false;
  let lastActive = Date.now();

  const words = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  state.after(button);
  state.append(words);
  state.classList.add("on");

  const say = text => {
    if (words.textContent !== text) {
      words.textContent = text;
    }
  };

  const show = html => {
    // Who reads or works within it is not disturbed; nor is who has opened its tables or scrolled them.
    if (live.contains(document.activeElement)) {
      say("Waits while you are in it");
      return;
    }

    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    for (const details of live.querySelectorAll("details[id][open]")) {
      fresh.querySelector(`#${details.id}`)?.setAttribute("open", "");
    }
    const scrolled = [...live.querySelectorAll(".scroll")].map(element => [element.getAttribute("aria-labelledby") ?? element.getAttribute("aria-label"), element.scrollLeft, element.scrollTop]);
    live.replaceChildren(...fresh.childNodes);
    for (const [name, left, top] of scrolled) {
      const element = [...live.querySelectorAll(".scroll")].find(each => (each.getAttribute("aria-labelledby") ?? each.getAttribute("aria-label")) === name);
      element?.scrollTo(left, top);
    }
    say("Live, every 5 seconds");
  };

  const stop = text => {
    source?.close();
    source = null;
    say(text);
    button.textContent = "Go on";
  };

  const start = () => {
    button.textContent = "Pause";
    if (source) {
      return;
    }
    source = new EventSource(state.dataset.stream);
    source.addEventListener("live", event => {
      // A page that nobody looks at must not keep its operator signed in.
      if (Date.now() - lastActive > patience) {
        paused = true;
        stop("Paused: nobody was here for 15 minutes");
      } else {
        show(event.data);
      }
    });
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) {
        paused = true;
        stop("Not live: the server turned it down. Load the page again");
      }
    });
  };

  for (const kind of ["pointerdown", "pointermove", "keydown", "scroll"]) {
    addEventListener(kind, () => { lastActive = Date.now(); }, { passive: true });
  }
  button.addEventListener("click", () => {
    paused = !paused;
    lastActive = Date.now();
    if (paused) {
      stop("Paused");
    } else {
      start();
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stop("Paused while hidden");
    } else if (!paused) {
      start();
    }
  });
  start();
}
