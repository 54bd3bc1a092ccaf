using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>The order in which a network takes the color planes.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ChannelOrder>))]
public enum ChannelOrder
{
    [JsonStringEnumMemberName("rgb")]
    Rgb,

    /// <summary>Of networks trained with Caffe.</summary>
    [JsonStringEnumMemberName("bgr")]
    Bgr,
}
