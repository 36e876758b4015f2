// A browser has what CometD needs.
export function adapt() {}
