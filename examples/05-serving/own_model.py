"""A class of one's own as an endpoint: sent to its pod by value, without an image."""

from sampan.sdk import serve


class Sentiment:
    def load(self):
        self.words = {"good": 1, "great": 2, "bad": -1, "awful": -2}

    def predict(self, rows):
        return [sum(self.words.get(word, 0) for word in row.lower().split()) for row in rows]


if __name__ == "__main__":
    endpoint = serve(Sentiment, name="sentiment")
    print(f"{endpoint.name} answers at {endpoint.url}")
    for said in ("a great day", "bad, awful weather"):
        print(f"{said!r}: {endpoint.predict([said])[0]:+d}")
    endpoint.delete()
