/** Incremental parser of text/event-stream: feed it text as it arrives, get the `data` of finished events. */
export class SseParser {
  private rest = "";

  feed(text: string): string[] {
    const raw = this.rest + text;
    const held = raw.endsWith("\r") ? "\r" : "";
    const parts = raw.slice(0, raw.length - held.length).replace(/\r\n?/g, "\n").split("\n\n");
    this.rest = (parts.pop() ?? "") + held;
    return parts.flatMap((part) => {
      const data = part
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).replace(/^ /, ""));
      return data.length ? [data.join("\n")] : [];
    });
  }
}
