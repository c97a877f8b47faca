import { BASE } from "./client";
import { backOff, readEvent, reduceFeed, startFeed, type Feed } from "./events";
import type { DeskEvent } from "./types";

export type Connection = "connecting" | "live" | "reconnecting";

const SILENCE_MS = 40_000;

/** The event socket: resumes after the last sequence seen and reconnects with back-off until closed. */
export class EventStream {
  private feed: Feed;
  private socket: WebSocket | null = null;
  private attempt = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    after: number,
    private readonly onEvent: (event: DeskEvent, feed: Feed) => void,
    private readonly onConnection: (state: Connection, resumed: boolean) => void,
  ) {
    this.feed = startFeed(after);
    this.open();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.retry);
    clearTimeout(this.watchdog);
    this.socket?.close();
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${BASE}/events?after=${this.feed.last}`);
    this.socket = socket;
    this.listen();
    socket.onopen = () => {
      const resumed = this.attempt > 0;
      this.attempt = 0;
      this.onConnection("live", resumed);
    };
    socket.onmessage = (message) => {
      this.listen();
      const event = readEvent(String(message.data));
      if (!event) return;
      const next = reduceFeed(this.feed, event);
      if (next === this.feed) return;
      this.feed = next;
      this.onEvent(event, next);
    };
    socket.onclose = () => {
      clearTimeout(this.watchdog);
      if (this.closed || this.socket !== socket) return;
      this.onConnection("reconnecting", false);
      this.retry = setTimeout(() => this.open(), backOff(this.attempt++, Math.random()));
    };
  }

  private listen(): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.socket?.close(), SILENCE_MS);
  }
}
