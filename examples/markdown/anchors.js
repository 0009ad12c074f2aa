// The names that GitHub gives to the headings of one document.

// What is no letter, digit, mark, connector such as _, space or hyphen falls away.
const DROPPED = /[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu;

export class AnchorNames {
  #taken = new Set();

  // Gives the anchor of the next heading. One that comes again gets a number: "notes-1".
  nameFor(text) {
    const wanted = text.trim().toLowerCase().replace(DROPPED, "").replaceAll(" ", "-");
    let name = wanted;
    for (let number = 1; this.#taken.has(name); number++) {
      name = `${wanted}-${number}`;
    }
    this.#taken.add(name);
    return name;
  }
}
