// Elements with text. What strangers wrote goes in as text, never as markup.

import { plain } from "/words.js";

export function text(tag, words, name = "") {
  const element = document.createElement(tag);
  element.textContent = plain(words);
  if (name !== "") element.className = name;
  return element;
}

export function code(words) {
  return text("code", words);
}

export function role(element, name) {
  element.setAttribute("role", name);
  return element;
}

/** Writes only what changes: selections stay, and nothing is read out twice. */
export function put(element, words) {
  const shown = plain(words);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Names with values, and notes. */
export function list(holder, entries) {
  while (holder.children.length > entries.length) holder.lastChild.remove();
  entries.forEach(({ name, value, notes = [] }, index) => {
    let item = holder.children[index];
    if (item === undefined) {
      item = document.createElement("div");
      item.append(text("dt", ""), text("dd", ""), text("dd", "", "quiet"), text("dd", "", "quiet"));
      holder.append(item);
    }
    const [label, figure, ...more] = item.children;
    put(label, name);
    put(figure, value);
    more.forEach((line, position) => {
      put(line, notes[position] ?? "");
      line.hidden = notes[position] === undefined;
    });
  });
}
