// Lists the granted folder and keeps many texts, with the memory of AssemblyScript's own runtime,
// which begins where the data ends and takes all that there is.
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, parts: usize, count: u32, size: usize): u32;
@external("wasi_snapshot_preview1", "fd_readdir")
declare function fd_readdir(fd: u32, buffer: usize, length: u32, cookie: u64, used: usize): u32;
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;

function print(text: string): void {
  const bytes = String.UTF8.encode(text + "\n");
  const parts = new StaticArray<u32>(2);
  parts[0] = <u32>changetype<usize>(bytes);
  parts[1] = <u32>bytes.byteLength;
  const size = new StaticArray<u32>(1);
  if (fd_write(1, changetype<usize>(parts), 1, changetype<usize>(size)) != 0) proc_exit(1);
}

// The names of a folder, sorted.
function names(fd: u32): string[] {
  const buffer = new ArrayBuffer(4096);
  const used = new StaticArray<u32>(1);
  const at = changetype<usize>(buffer);
  if (fd_readdir(fd, at, 4096, 0, changetype<usize>(used)) != 0) proc_exit(2);
  const found: string[] = [];
  for (let entry = at; entry + 24 <= at + used[0]; ) {
    const length = load<u32>(entry, 16);
    found.push(String.UTF8.decodeUnsafe(entry + 24, length));
    entry += 24 + length;
  }
  return found.sort();
}

export function _start(): void {
  const kept = new Map<string, i32>();
  for (let i = 0; i < 20000; i++) kept.set("text " + i.toString(), i);
  print(names(3).join(" "));
  for (let i = 20000; i < 40000; i++) kept.set("text " + i.toString(), i);
  let sum: i64 = 0;
  for (let i = 0; i < 40000; i++) sum += kept.get("text " + i.toString());
  print(kept.size.toString() + " " + sum.toString());
}

export function abort(message: string, file: string, line: u32, column: u32): void {
  proc_exit(line);
}
