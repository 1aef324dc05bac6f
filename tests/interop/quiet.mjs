// Imported before anything else: stdout belongs to the one line that server.mjs prints, and oidc-provider's advice for
// production servers (it begins at its import) is of no use to a test.

export const verbose = process.env.INTEROP_VERBOSE === '1';

console.log = console.info = console.warn = verbose ? console.error : () => {};
