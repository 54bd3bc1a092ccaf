using Graft.Inference;

// An app that predicts: one exported file and the package Graft.Inference.
//   graft export runs/flowers-mobilenet_v2 --out flowers/flowers.onnx
//   dotnet run -- flowers/flowers.onnx photo.jpg
using var classifier = Classifier.Open(args[0]);
foreach (var photo in classifier.Predict(args[1..]))
{
    Console.WriteLine(photo.Prediction is { } answer
        ? $"{photo.Path}: {answer.Class} {answer.Probability:P1}"
        : $"{photo.Path}: {photo.Problem}");
}
