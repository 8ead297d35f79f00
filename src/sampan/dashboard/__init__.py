"""The dashboard's shell: navigation, namespace switch, search, home, and components' pages, which it does not know.

`mounting` is what `app` puts on the port; everything else loads right after the server is ready, with NiceGUI. May not
import a component or the cluster: pages come as `ui.contract.Interface`, data through the platform's own API.
"""
