/** Says how far things are: one line that is rewritten on a terminal, else a line every few seconds. */
export function startProgress(describe: () => string): { stop(): void } {
  const { stdout } = process
  const timer = setInterval(
    () => stdout.write(stdout.isTTY ? `\r\u001b[K${describe()}` : `${describe()}\n`),
    stdout.isTTY ? 100 : 2_000,
  )
  return {
    stop() {
      clearInterval(timer)
      stdout.write(stdout.isTTY ? `\r\u001b[K${describe()}\n` : `${describe()}\n`)
    },
  }
}
