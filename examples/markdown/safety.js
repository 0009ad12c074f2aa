// What makes HTML safe to show that was made of Markdown by a stranger.

import { decodeEntities } from "./plain_text.js";

const SAFE_SCHEMES = new Set(["http", "https", "mailto", "tel"]);
const SCHEME = /^([a-z][a-z0-9+.-]*):/i;
// Browsers ignore these within a scheme, so "java\nscript:" would run.
const IGNORED_BY_BROWSERS = /[\u0000-\u0020\u007f-\u009f]/g;
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

// Escapes text for HTML, also for attributes.
export function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

// Gives the address in the form that goes into an attribute once it is escaped, or nothing where a
// click on it could run a script. Relative addresses are fine.
export function safeUrl(address) {
  const url = decodeEntities(address).trim();
  const scheme = SCHEME.exec(url.replace(IGNORED_BY_BROWSERS, ""));
  if (scheme !== null && !SAFE_SCHEMES.has(scheme[1].toLowerCase())) {
    return undefined;
  }
  // What is escaped already must not be escaped again.
  return encodeURI(url).replaceAll("%25", "%");
}
