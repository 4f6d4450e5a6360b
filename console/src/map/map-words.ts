import { catalogue } from "../words";

/** The words of every map. */
const zh = {
  title: "地图",
  zoomIn: "放大",
  zoomOut: "缩小",
};

const en: typeof zh = {
  title: "Map",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
};

export const mapWords = catalogue(zh, en);
