using System.Globalization;
using System.Text;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Inference;

namespace Graft.Export;

/// <summary>What a person should know of an exported model: <c>MODEL_CARD.md</c>.</summary>
internal static class ModelCard
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <param name="name">Of the model.</param>
    /// <param name="file">Of the model, relative to the card.</param>
    public static string Of(ImageClassifier classifier, string name, string file, long bytes, ExportOptions options, ExportParity parity, PrecisionReport? precision)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Line($"# {Text(name)}\n");
        Line($"An image classifier of {classifier.Classes.Count:N0} classes, trained with Graft on {Text(classifier.BackboneName)}. {bytes / 1e6:0.0} MB.\n");
        Line($"| | |\n|---|---|");
        Line($"| Backbone | {Text(classifier.BackboneName)} |");
        Line($"| License of the weights published under that name | {Text(PhotoModel.License(classifier))} |");
        foreach (var (fact, value) in options.Facts) Line($"| {Text(fact)} | {Text(value)} |");
        Line($"| Largest difference of a probability from the trained model | {parity.LargestDifference:0.#####} on {parity.Photos:N0} {(options.CheckPhotos is null ? "generated pictures" : "photos")} |");
        Line($"| Photos named differently | {parity.DifferentClasses.Count:N0} |");
        if (precision is not null)
        {
            Line($"\n## Precision\n");
            Line($"| | float32 | {LowerCase.Policy.ConvertName($"{precision.Precision}")} |\n|---|---|---|");
            Line($"| MB | {precision.BytesOfFloat32 / 1e6:0.0} | {precision.Bytes / 1e6:0.0} |");
            Line($"| Images/s on the machine that exported it | {precision.ImagesPerSecondOfFloat32:0.0} | {precision.ImagesPerSecond:0.0} |");
            if (precision is { Accuracy: { } accuracy, AccuracyOfFloat32: { } before, McNemar: { } test })
            {
                Line($"| Accuracy on {parity.Photos:N0} photos | {before:P1} | {accuracy:P1} |");
                Line($"\nCorrect by float32 alone: {test.OnlyFirst:N0} photos; by this model alone: {test.OnlySecond:N0} (McNemar's test: p = {test.PValue:0.###}).");
            }
            if (precision.Quantization is { } int8)
            {
                Line($"\nActivations are uint8, weights int8 for each output channel; ranges by {int8.Ranges} over {int8.Photos:N0} photos. {(int8.FloatLayers.Count == 0 ? "All layers with weights are quantized." : $"In float32: {string.Join(", ", int8.FloatLayers.Select(Text))}.")}");
            }
        }
        Line($"\n## Classes\n");
        Line($"{string.Join(", ", classifier.Classes.Select(Text))}\n");
        Line($"`labels.txt` has them one a line, in the order of the probabilities.\n");
        Line($"## Input and outputs\n");
        if (options.Input == ExportInput.Photo)
        {
            Line($"- `{ModelMetadata.PhotoInput}`: uint8 [1, height, width, 3], red, green, blue, upright, of any size. The model resizes and normalizes it itself.");
        }
        else if (options.Input == ExportInput.PixelValues)
        {
            Line($"- `{ModelMetadata.PixelValuesInput}`: float32 [1, 3, height, width], red, green, blue, from 0 to 255, upright, of any size. The model resizes and normalizes it itself.");
            Line($"- `{ModelMetadata.LogitsOutput}`: float32 [1, {classifier.Classes.Count}], the logarithms of the probabilities.");
        }
        else
        {
            var preprocessing = classifier.Blocks[0].Preprocessing;
            Line($"- `{ModelMetadata.TensorInput}`: float32 [1, 3, {preprocessing.InputHeight}, {preprocessing.InputWidth}], preprocessed outside as this says (sample · scale − mean, divided by the standard deviation, in the channel order):\n");
            Line($"```json\n{JsonSerializer.Serialize(preprocessing, Indented)}\n```\n");
        }
        Line($"- `{ModelMetadata.ProbabilitiesOutput}`: float32 [1, {classifier.Classes.Count}], which sum to 1.");
        if (options.Features) Line($"- `{ModelMetadata.FeaturesOutput}`: float32 [1, length], the feature vector.");
        if (options.Input != ExportInput.Tensor)
            Line($"\nThe resize is that of training, computed with integers. Operators of version 18 or later are needed.");
        Line($"\n## Use\n");
        switch (options.For)
        {
            case ExportTarget.Web:
                Line($"Copy the folder to any web server and open its address: the page predicts in the browser. `classifier.js` does it in a page of your own.\n");
                Line($"What may differ from training: the browser decodes the photo, so JPEG pixels may be off by 1 of 255. Colors under transparent pixels are lost. Formats that it does not know (TIFF, often HEIC) are refused.\n");
                break;
            case ExportTarget.Triton:
                Line($"The folder is a model of NVIDIA Triton's repository: `tritonserver --model-repository FOLDER`, with the folder that this one is in. Leave its name as it is, or change it in `config.pbtxt` too.\n");
                break;
            case ExportTarget.TransformersJs:
                Line($"```js\nimport {{ env, pipeline }} from \"@huggingface/transformers\";\nenv.allowRemoteModels = false;\nenv.localModelPath = \"/models/\"; // where this folder lies\nconst classify = await pipeline(\"image-classification\", {JsonSerializer.Serialize(name)}, {{ device: \"wasm\" }}); // in Node.js: \"cpu\"\nconst answers = await classify(\"photo.jpg\"); // one photo at a time\n```\n");
                break;
        }
        Line($"```csharp\n// dotnet add package Graft.Inference\nusing var classifier = Classifier.Open(\"{file}\"); // thread-safe: share one\nvar answer = classifier.Predict(\"photo.jpg\");\nConsole.WriteLine($\"{{answer.Class}} {{answer.Probability:P1}}\");\n```\n");
        Line($"In other languages, decode the photo upright as RGB and run the model. `parity.json` has {3} photos, in `parity/`, and the probabilities to expect.\n");
        Line($"## Limits\n");
        Line($"The model answers with one of its classes whatever is on the photo. Its accuracy was measured on photos like those it was trained on; on others it may be lower.");
        return text.ToString();
    }

    /// <summary>A name that may hold anything, as text in Markdown.</summary>
    private static string Text(string name)
    {
        var text = new StringBuilder();
        foreach (var letter in name.ReplaceLineEndings(" "))
        {
            if (char.IsControl(letter)) continue;
            if (letter is '\\' or '`' or '*' or '_' or '{' or '}' or '[' or ']' or '<' or '>' or '#' or '|' or '&') text.Append('\\');
            text.Append(letter);
        }
        return text.ToString();
    }
}
