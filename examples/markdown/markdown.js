// The functions of wit/world.wit, on top of the library marked.

import { Lexer, Marked } from "marked";

import { anchorRules } from "./anchored_rules.js";
import { AnchorNames } from "./anchors.js";
import { decodeEntities, plainText } from "./plain_text.js";
import { escapeHtml, safeUrl } from "./safety.js";

// This runs when the component is built: what it does is part of the memory that each call starts
// with.
const { block, inline } = Lexer.rules;
const { other } = new Lexer().options.tokenizer.rules;
[block.gfm, inline.gfm, inline.breaks, other].forEach(anchorRules);

// Without these two tokenizers marked sees no HTML in the Markdown, and takes it for the text that
// it shall be shown as. (A function that returns nothing means "not here"; false would mean "ask
// the built-in one".)
const WITHOUT_HTML = { html() {}, tag() {} };

function attribute(name, value) {
  return value ? ` ${name}="${escapeHtml(value)}"` : "";
}

const SAFE_LINKS = {
  link({ href, title, tokens }) {
    const text = this.parser.parseInline(tokens);
    const url = safeUrl(href);
    if (url === undefined) {
      return text;
    }
    const titleAttribute = attribute("title", decodeEntities(title ?? ""));
    return `<a${attribute("href", url)}${titleAttribute}>${text}</a>`;
  },
  image({ href, title, text, tokens }) {
    const description = tokens ? plainText(tokens) : decodeEntities(text);
    const url = safeUrl(href);
    if (url === undefined) {
      return escapeHtml(description);
    }
    const titleAttribute = attribute("title", decodeEntities(title ?? ""));
    return `<img${attribute("src", url)} alt="${escapeHtml(description)}"${titleAttribute}>`;
  },
};

function headingsWithIds() {
  const anchors = new AnchorNames();
  return {
    heading({ tokens, depth }) {
      const id = attribute("id", anchors.nameFor(plainText(tokens)));
      return `<h${depth}${id}>${this.parser.parseInline(tokens)}</h${depth}>\n`;
    },
  };
}

function parserFor(options) {
  const parser = new Marked({ gfm: true, breaks: options.lineBreaks ?? false });
  if (!options.trusted) {
    parser.use({ tokenizer: WITHOUT_HTML, renderer: SAFE_LINKS });
  }
  if (options.headingIds) {
    parser.use({ renderer: headingsWithIds() });
  }
  return parser;
}

// Gives what collect() makes of each token, from the first to the last and into all that nest.
function collectFrom(markdown, collect) {
  const parser = parserFor({});
  const collected = [];
  parser.walkTokens(parser.lexer(markdown), (token) => {
    const value = collect(token);
    if (value !== undefined) {
      collected.push(value);
    }
  });
  return collected;
}

export function toHtml(markdown, options) {
  return parserFor(options ?? {}).parse(markdown);
}

export function outline(markdown) {
  const anchors = new AnchorNames();
  return collectFrom(markdown, (token) => {
    if (token.type !== "heading") {
      return undefined;
    }
    const text = plainText(token.tokens).trim();
    return { level: token.depth, text, anchor: anchors.nameFor(text) };
  });
}

export function links(markdown) {
  return collectFrom(markdown, (token) => {
    if (token.type !== "link" && token.type !== "image") {
      return undefined;
    }
    return {
      isImage: token.type === "image",
      text: token.tokens ? plainText(token.tokens) : decodeEntities(token.text),
      url: decodeEntities(token.href),
      title: token.title ? decodeEntities(token.title) : undefined,
    };
  });
}
