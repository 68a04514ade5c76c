/** The cluster cannot be started as things stand. The message is one sentence for the person who typed `npm start`. */
export class StartRefused extends Error {
  override readonly name = 'StartRefused';
}
