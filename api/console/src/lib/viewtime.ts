/** Adds up how long something was really on screen; times are in milliseconds, what it gives out is in seconds. */
export class ViewClock {
  private counted = 0;
  private since: number | null = null;

  setVisible(visible: boolean, now: number): void {
    this.count(now);
    this.since = visible ? now : null;
  }

  /** Seconds on screen since the last take, to a tenth; a clock that is set back takes nothing away. */
  take(now: number): number {
    this.count(now);
    const seconds = Math.floor(this.counted / 100) / 10;
    this.counted -= seconds * 1000;
    return seconds;
  }

  /** Count again what could not be handed on. */
  giveBack(seconds: number): void {
    this.counted += seconds * 1000;
  }

  private count(now: number): void {
    if (this.since === null) return;
    this.counted += Math.max(0, now - this.since);
    this.since = now;
  }
}
