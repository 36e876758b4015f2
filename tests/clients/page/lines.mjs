// ../lines.mjs for a page: the test calls `steer` and listens at `tell`; the options are the fragment of the address.

export const options = JSON.parse(decodeURIComponent(location.hash.slice(1)));

export function say(what) {
  tell(JSON.stringify(what));
}

export function obey(handlers) {
  globalThis.steer = (command) => {
    handlers[command.do](command, (outcome) => say({ reply: command.number, ...outcome }));
  };
  say({ ready: true });
}
