// Filters the cards of the gallery; the choice is kept in the page's address.
(() => {
  const gallery = document.getElementById("gallery");
  if (!gallery) return;
  const fields = [...document.querySelectorAll("[data-filter]")];
  const cards = [...gallery.querySelectorAll("article")];
  const count = document.querySelector("[data-count]");
  const given = new URLSearchParams(location.hash.slice(1));
  fields.forEach((field) => (field.value = given.get(field.dataset.filter) || ""));

  function show() {
    const wanted = new URLSearchParams();
    cards.forEach((card) => (card.hidden = false));
    for (const field of fields) {
      if (!field.value) continue;
      wanted.set(field.dataset.filter, field.value);
      const word = field.value.toLowerCase();
      for (const card of cards) {
        const fits = field.dataset.filter === "text"
          ? card.textContent.toLowerCase().includes(word)
          : card.dataset[field.dataset.filter] === field.value;
        if (!fits) card.hidden = true;
      }
    }
    count.textContent = `${cards.filter((card) => !card.hidden).length} of ${cards.length}`;
    history.replaceState(null, "", wanted.size ? `#${wanted}` : location.pathname + location.search);
  }
  fields.forEach((field) => field.addEventListener("input", show));
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  show();
})();
