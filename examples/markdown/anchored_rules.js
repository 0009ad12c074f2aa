// Makes the rules of marked fast on QuickJS.
//
// marked asks some twenty regular expressions at each place of a text whether they match there,
// each of them tied by ^ to the start of what is left. Other engines give up at once where one does
// not. QuickJS tries it at every later place, too, to the end of the text: the time grows with the
// square of the length, to minutes for a long document. A sticky expression is tried at one place.

class AnchoredExpression extends RegExp {
  constructor(expression) {
    super(expression.source, `${expression.flags}y`);
  }

  exec(text) {
    // A sticky expression starts where its last match ended; an anchored one, always at the start.
    this.lastIndex = 0;
    return super.exec(text);
  }
}

// Whether every alternative of an expression is tied to the start. Only then nothing changes.
export function isAnchored(source) {
  let depth = 0;
  let isInClass = false;
  let startsAlternative = true;
  for (let at = 0; at < source.length; at++) {
    const character = source[at];
    if (startsAlternative && character !== "^") {
      return false;
    }
    startsAlternative = false;
    if (character === "\\") {
      at++;
    } else if (isInClass) {
      isInClass = character !== "]";
    } else if (character === "[") {
      isInClass = true;
    } else if (character === "(") {
      depth++;
    } else if (character === ")") {
      depth--;
    } else if (character === "|" && depth === 0) {
      startsAlternative = true;
    }
  }
  return !startsAlternative;
}

function anchored(rule) {
  const isPlain = rule instanceof RegExp && !/[gmy]/.test(rule.flags);
  return isPlain && isAnchored(rule.source) ? new AnchoredExpression(rule) : rule;
}

// Some rules are made for a kind of list or an indentation. They are made once for each.
function remembered(makeRule) {
  const made = new Map();
  return (parameter) => {
    if (!made.has(parameter)) {
      made.set(parameter, anchored(makeRule(parameter)));
    }
    return made.get(parameter);
  };
}

// Replaces the expressions of a set of rules that can be replaced.
export function anchorRules(rules) {
  for (const [name, rule] of Object.entries(rules)) {
    rules[name] = typeof rule === "function" ? remembered(rule) : anchored(rule);
  }
}
