/** Says how far things are: one line that is rewritten on a terminal, else a line every few seconds if it has changed. */
export function startProgress(describe: () => string): { stop(): void } {
  const { stdout } = process
  let last = ''
  const show = () => {
    const line = describe()
    if (line === last) return
    last = line
    stdout.write(stdout.isTTY ? `\r\u001b[K${line}` : `${line}\n`)
  }
  const timer = setInterval(show, stdout.isTTY ? 100 : 2_000)
  return {
    stop() {
      clearInterval(timer)
      show()
      if (stdout.isTTY) stdout.write('\n')
    },
  }
}
