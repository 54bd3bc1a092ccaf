namespace Graft.Training;

/// <summary>Labeled inputs of a network, by number.</summary>
public interface IExamples
{
    int Count { get; }

    /// <summary>The class, from 0; -1 where it is not known.</summary>
    int LabelOf(int index);

    /// <summary>
    /// Targets beyond the label, such as a distribution over the classes or a teacher's outputs; as many for every example, each of one length.
    /// Default none.
    /// </summary>
    /// <param name="index">The example.</param>
    /// <param name="epoch">Whose view of it they are for, as in <see cref="Read"/>.</param>
    IReadOnlyList<float[]> TargetsOf(int index, int epoch) => [];

    /// <summary>How much the example counts in the loss, at least 0. Default 1.</summary>
    float WeightOf(int index) => 1;

    /// <summary>Fills in an example's input. The epoch lets a source give another view of it each time; 0 asks for the plain one.</summary>
    void Read(int index, int epoch, Span<float> input);

    /// <summary>Fills in the inputs of several examples, one after the other.</summary>
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
