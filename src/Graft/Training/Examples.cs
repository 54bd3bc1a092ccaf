namespace Graft.Training;

/// <summary>Labelled inputs of a network, by number.</summary>
public interface IExamples
{
    int Count { get; }

    int LabelOf(int index);

    /// <summary>Fills in an example's input. The epoch lets a source give another view of it each time; 0 asks for the plain one.</summary>
    void Read(int index, int epoch, Span<float> input);

    /// <summary>Fills in the inputs of several examples, one behind the other.</summary>
    void ReadBatch(IReadOnlyList<int> indices, int epoch, Span<float> inputs)
    {
        var length = inputs.Length / indices.Count;
        for (var i = 0; i < indices.Count; i++) Read(indices[i], epoch, inputs.Slice(i * length, length));
    }

    /// <summary>
    /// Whether reading takes long enough for the next batch to be read on another thread while the network trains on this one. Only one
    /// thread reads at a time.
    /// </summary>
    bool TakesTime => false;
}

/// <summary>Inputs that are all in memory: features, or small images.</summary>
public sealed class ExamplesInMemory(IReadOnlyList<float[]> inputs, IReadOnlyList<int> labels) : IExamples
{
    public int Count => inputs.Count;

    public int LabelOf(int index) => labels[index];

    public void Read(int index, int epoch, Span<float> input) => inputs[index].CopyTo(input);
}
