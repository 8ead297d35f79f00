// A moment in the browser's zone, with how long ago or ahead it is.
import { ago, clock, moment } from "sampan-times";

export default {
  props: { at: String },
  render() {
    return Vue.h("time", { datetime: this.at }, this.at ? moment(this.at) + " (" + ago(this.at, clock.now) + ")" : "");
  },
};
