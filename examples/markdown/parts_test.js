// Run with: node --test

import assert from "node:assert/strict";
import { test } from "node:test";

import { anchorRules, isAnchored } from "./anchored_rules.js";
import { AnchorNames } from "./anchors.js";
import { decodeEntities, plainText } from "./plain_text.js";
import { escapeHtml, safeUrl } from "./safety.js";

test("anchors are those of GitHub, and none comes twice", () => {
  const anchors = new AnchorNames();
  assert.equal(anchors.nameFor("Hello, World!"), "hello-world");
  assert.equal(anchors.nameFor("Hello World"), "hello-world-1");
  assert.equal(anchors.nameFor("hello-world-1"), "hello-world-1-1");
  assert.equal(anchors.nameFor("Größe & Maß_1"), "größe--maß_1");
  assert.equal(anchors.nameFor("🎉"), "");
  assert.equal(anchors.nameFor("🎉"), "-1");
});

test("entities are decoded, and only those", () => {
  assert.equal(decodeEntities("a &amp; b &#65;&#x1F600; &nosuch; &"), "a & b A😀 &nosuch; &");
  assert.equal(decodeEntities("&#0;&#xD800;&#x110000;"), "\uFFFD\uFFFD\uFFFD");
  assert.equal(decodeEntities("&constructor;"), "&constructor;");
});

test("plain text leaves the markup out", () => {
  const tokens = [
    { type: "text", text: "a &lt; " },
    { type: "strong", text: "**b**", tokens: [{ type: "text", text: "b" }] },
    { type: "br" },
    { type: "codespan", text: "&lt;" },
  ];
  assert.equal(plainText(tokens), "a < b &lt;");
});

test("links to scripts are not safe, however they are written", () => {
  for (const address of [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "\u0001javascript:alert(1)",
    "javascript&#58;alert(1)",
    "&#x6A;avascript:alert(1)",
    "vbscript:x",
    "data:text/html,x",
    "file:///etc/passwd",
  ]) {
    assert.equal(safeUrl(address), undefined, address);
  }
});

test("other links are safe", () => {
  assert.equal(safeUrl("https://example.org/?a=1&amp;b=ü"), "https://example.org/?a=1&b=%C3%BC");
  assert.equal(safeUrl("../a b%20c#d"), "../a%20b%20c#d");
  assert.equal(safeUrl("mailto:me@example.org"), "mailto:me@example.org");
  assert.equal(safeUrl("//example.org/a:b"), "//example.org/a:b");
  assert.equal(safeUrl("./a:b"), "./a:b");
  assert.equal(safeUrl(""), "");
});

test("text is escaped for attributes, too", () => {
  assert.equal(escapeHtml(`<a b="c" d='e'>&`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
});

test("only expressions that are anchored throughout are replaced", () => {
  assert.ok(isAnchored("^a"));
  assert.ok(isAnchored("^a|^b"));
  assert.ok(isAnchored("^(?:a|b)[|]\\|"));
  assert.ok(!isAnchored("a"));
  assert.ok(!isAnchored("^a|b"));
  assert.ok(!isAnchored("^a|"));
  assert.ok(!isAnchored(""));
});

test("an anchored expression matches as before, again and again", () => {
  const rules = { anchored: /^(a+)|^B/i, global: /^a/g, free: /a/ };
  const { global, free } = rules;
  anchorRules(rules);
  assert.ok(rules.anchored.sticky);
  assert.equal(rules.global, global);
  assert.equal(rules.free, free);
  for (const text of ["aab", "b", "ca", "AA", ""]) {
    const expected = /^(a+)|^B/i.exec(text);
    assert.deepEqual(rules.anchored.exec(text), expected, text);
    assert.deepEqual(rules.anchored.exec(text), expected, text);
    assert.equal(rules.anchored.test(text), expected !== null, text);
  }
});
