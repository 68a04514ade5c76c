/**
 * Lets concurrent callers share one round trip. No caller gets the answer to a question that was asked before its call:
 * a caller that comes while a question is under way joins the next one, which is asked when the current one is done.
 */
export class SharedQuestion<T> {
  private current: Promise<T> | undefined;
  private following: Promise<T> | undefined;

  constructor(private readonly question: () => Promise<T>) {}

  ask(): Promise<T> {
    if (this.current === undefined) return this.begin();
    this.following ??= this.current.then(
      () => this.begin(),
      () => this.begin(),
    );
    return this.following;
  }

  private begin(): Promise<T> {
    this.following = undefined;
    const asked = this.question().finally(() => {
      if (this.current === asked) this.current = undefined;
    });
    this.current = asked;
    return asked;
  }
}
