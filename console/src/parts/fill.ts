/** Makes a page fill what the header leaves of the window: an attachment for its box. */
export function fill(box: HTMLElement): () => void {
  const fit = (): void => box.style.setProperty("height", `calc(100dvh - ${box.getBoundingClientRect().top + window.scrollY}px)`);
  const observer = new ResizeObserver(fit);
  observer.observe(document.body);
  fit();
  return () => observer.disconnect();
}
