// The text of Markdown without its markup.

const NAMED_ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00A0" };
const ENTITY = /&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]+));/g;
const REPLACEMENT_CHARACTER = "\uFFFD";

function characterOf(codePoint) {
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (codePoint === 0 || codePoint > 0x10ffff || isSurrogate) {
    return REPLACEMENT_CHARACTER;
  }
  return String.fromCodePoint(codePoint);
}

// Replaces numeric entities and the common named ones. Others stay as they are written.
export function decodeEntities(text) {
  return text.replace(ENTITY, (entity, decimal, hexadecimal, name) => {
    if (decimal !== undefined) {
      return characterOf(Number.parseInt(decimal, 10));
    }
    if (hexadecimal !== undefined) {
      return characterOf(Number.parseInt(hexadecimal, 16));
    }
    return Object.hasOwn(NAMED_ENTITIES, name) ? NAMED_ENTITIES[name] : entity;
  });
}

// The text of inline tokens of marked, as a person would read it aloud.
export function plainText(tokens) {
  return tokens.map(textOf).join("");
}

function textOf(token) {
  switch (token.type) {
    case "br":
      return " ";
    // Code and escaped characters are what they are: entities mean nothing there.
    case "codespan":
    case "escape":
      return token.text;
    default:
      return token.tokens ? plainText(token.tokens) : decodeEntities(token.text ?? "");
  }
}
