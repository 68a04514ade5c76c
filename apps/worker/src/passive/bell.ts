/** Lets any number of waiters know that something has changed; each looks for itself whether it is what it waits for. */
export class Bell {
  private ring: () => void = () => undefined;
  private rung = this.next();

  /** Resolves at the next ring. */
  wait(): Promise<void> {
    return this.rung;
  }

  sound(): void {
    const { ring } = this;
    this.rung = this.next();
    ring();
  }

  private next(): Promise<void> {
    return new Promise((resolve) => (this.ring = resolve));
  }
}
