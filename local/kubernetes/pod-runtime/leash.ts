/**
 * Loaded before the program of a pod: a process must not outlive the laptop's cloud, also when that was killed and the program does
 * not listen for the end of its parent. One that does has two seconds to end by itself.
 */
const patience = 2_000;

process.once('disconnect', () => setTimeout(() => process.exit(143), patience).unref());

// A listener of ours must not keep a program running that has nothing left to do (a Job): node counts listeners of this event.
const { channel } = process;
if (channel && 'unrefCounted' in channel && typeof channel.unrefCounted === 'function') channel.unrefCounted();

export {};
