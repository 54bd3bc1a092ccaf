using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Training;

namespace Graft.Classifiers;

/// <summary>A model as a teacher of the classes of another; its features are computed once and kept in the cache.</summary>
internal sealed class ModelTeacher : ITeacher, IDisposable
{
    private readonly ImageClassifier _model;
    private readonly FeatureBlocks _features;
    private readonly TorchNetwork _head;
    private readonly int[] _places;

    /// <param name="model">Taken over.</param>
    /// <param name="classes">Which of its classes are taught, by name.</param>
    /// <exception cref="GraftException">It does not know one of them.</exception>
    public ModelTeacher(ImageClassifier model, IReadOnlyList<string> classes)
    {
        if (classes.Except(model.Classes, StringComparer.Ordinal).ToList() is { Count: > 0 } unknown)
        {
            throw new GraftException($"The teacher does not know {(unknown.Count == 1 ? "the class" : "the classes")} {DataFindings.Named(unknown)}; it knows {DataFindings.Named(model.Classes)}.")
            {
                Code = "teacher-classes",
                Remedy = "Train it on photos of all classes.",
            };
        }
        _model = model;
        var places = model.Classes.Index().ToDictionary(pair => pair.Item, pair => pair.Index, StringComparer.Ordinal);
        _places = [.. classes.Select(name => places[name])];
        var layer = model.FeatureLayer ?? model.Network.Layers.TakeWhile(other => !other.Name.StartsWith("head.", StringComparison.Ordinal)).SkipLast(HasNewHead ? 0 : 1).Last().Name;
        _features = model.IsCombination ? new(model.Blocks) : new(Backbone.Of(model.BackboneName, model.Network.CutAfter(layer), model.Weights, model.Preprocessing));
        _head = new(model.Network.StartAfter(layer), model.Weights);
        Fingerprint = string.Join(' ', model.Blocks.Select(block => block.Fingerprint)) + Backbone.Of(model.BackboneName, model.Network, model.Weights, model.Preprocessing).Fingerprint;
    }

    public string Fingerprint { get; }

    public string BackboneName => _model.BackboneName;

    private bool HasNewHead => _model.Network.Layers.Any(layer => layer.Name.StartsWith("head.", StringComparison.Ordinal));

    public TeacherAnswers Answers(IReadOnlyList<LabeledImage> images, ViewBank? bank, bool withFeatures, FineTuningContext context, CancellationToken cancellation)
    {
        var set = _features.Extract(images, context.Cache, context.Warn, InferenceEngine.Onnx, bank, context.Hashes, context.Progress, cancellation);
        if (set.Broken.Count > 0) throw new GraftException($"{set.Broken[0].Path} cannot be read any more: {set.Broken[0].Reason}") { Remedy = "Put the photo back, and resume the run." };
        return new(Of(set.Rows), [.. set.Views.Select(Of)], set.CacheHits, set.CacheMisses);

        float[][][] Of(IReadOnlyList<float[]> rows)
        {
            var logits = Trainer.Outputs(_head, new ExamplesInMemory(rows, new int[rows.Count]), batchSize: 256, cancellation);
            var isProbability = _model.Network.Output.Operation is Activation { Function: ActivationFunction.Softmax };
            return [.. logits.Select((row, index) => withFeatures ? (float[][])[Taught(row, isProbability), rows[index]] : [Taught(row, isProbability)])];
        }
    }

    public void Dispose()
    {
        _head.Dispose();
        _model.Dispose();
    }

    /// <summary>The logits of the classes that are taught. Of a probability its logarithm, which softmax takes for one.</summary>
    private float[] Taught(float[] outputs, bool isProbability) =>
        [.. _places.Select(place => isProbability ? MathF.Log(MathF.Max(outputs[place], 1e-30f)) : outputs[place])];
}
