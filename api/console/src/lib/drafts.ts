import { useState } from "react";

const PREFIX = "quarterdeck.draft.";

/** Text that outlives updates, page changes and a reload of this tab, until it is cleared. */
export function useDraft(key: string): [string, (text: string) => void, () => void] {
  const [text, setText] = useState(() => sessionStorage.getItem(PREFIX + key) ?? "");
  const change = (next: string) => {
    setText(next);
    sessionStorage.setItem(PREFIX + key, next);
  };
  const clear = () => {
    setText("");
    sessionStorage.removeItem(PREFIX + key);
  };
  return [text, change, clear];
}
