import { useState } from "react";

const PREFIX = "quarterdeck.draft.";
const OWNER = "quarterdeck.person";

/** Text that outlives updates, page changes and a reload of this tab, until it is cleared. */
export function useDraft(key: string, start = ""): [string, (text: string) => void, () => void] {
  const [text, setText] = useState(() => sessionStorage.getItem(PREFIX + key) ?? start);
  const change = (next: string) => {
    setText(next);
    sessionStorage.setItem(PREFIX + key, next);
  };
  const clear = () => {
    setText(start);
    sessionStorage.removeItem(PREFIX + key);
  };
  return [text, change, clear];
}

export function readDraft(key: string): string {
  return sessionStorage.getItem(PREFIX + key) ?? "";
}

export function writeDraft(key: string, text: string): void {
  sessionStorage.setItem(PREFIX + key, text);
}

/** Forget everything that was typed in this tab. */
export function clearDrafts(): void {
  Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX)).forEach((key) => sessionStorage.removeItem(key));
}

/** Nobody finds what somebody else was typing: another person in this tab starts empty. */
export function holdDraftsFor(person: string): void {
  const before = sessionStorage.getItem(OWNER);
  if (before !== null && before !== person) clearDrafts();
  sessionStorage.setItem(OWNER, person);
}
